"""From words to sound, sentence by sentence. It knows neither hearing nor thinking."""
