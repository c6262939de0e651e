"""The bench of skills really does what the sentences ask."""

from voice_kit.workshop.bench_skills import SENTENCES, measured


def test_it_measures_each_sentence_to_its_first_token():
    figures = measured(rounds=20)
    assert list(figures) == list(SENTENCES)
    for words, (found, _, _, _, token, token_99) in figures.items():
        assert 0 < found < token <= token_99, words  # it begins with understanding
