# ruff: noqa: E501
"""What PocketSphinx wrote for questions spoken by a synthetic voice (flite's slt)."""

HEARD = dict(
    line.split(" | ")
    for line in """
Could you explain sound to me? | could you explain sound to me
What exactly is one audio sample? | what exactly is one ideas and pale
Why do you record at sixteen kilohertz? | why did you record at sixteen killer hurts
Explain the Nyquist theorem please | explain an egg list there and please
How many samples are in a frame? | how many samples are in a frame
What does decibel mean? | what does s. and m. mean
How do I compute the loudness of a signal? | how do i can get the land is a mistake now
How do you convert audio from forty eight to sixteen kilohertz? | have you you convert audio from forty eight to sixteen calendar it's
My voice is distorted, what is going on? | my voice is distorted what is going on
Which microphone do you recommend? | which microphone do you recommend
Is the recording mono or stereo? | is the recording now known risk area
Can it read flac files? | can a red flag files
Why does the assistant hear its own voice? | why does the assistant here it's own voice
How does the browser cancel echo? | how does the browser cancel and
Should I turn on noise suppression? | should i turn on my suppression
Tell me about spectrograms | tell me about sketch regrets
What's a mel spectrogram? | lets him else petra grand
Explain voice activity detection | explain my second seeded action
Hi, what is a VAD? | by what is it bad
How can a computer tell that someone is speaking? | how can a computer tell that someone is speaking
What's wrong with a simple energy threshold? | what's wrong with a simple energy threshold
Tell me about the Silero network | tell me about this i'll area network
How good is the WebRTC voice detector? | how good is the w t v r t c my sick actor
Why are there two thresholds? | why are there to fresh hell does
How long is the hangover? | how long is the hangover
What does pre-roll do? | what does pre roll do
How does endpointing work? | how does and finding work
How does it know I have finished my sentence? | how does it now i have finished my sentence
Why do you cut me off? | why do you cut me off
What is turn taking in a conversation? | let us turn taking in a conversation
How quickly do people respond to each other? | how quickly do people respond to each other
What are backchannels? | when our back channels
What does semantic turn detection mean? | what does semantic turned into action mean
Can I interrupt you while you are talking? | can i interrupt you well you are talking
um, so what is barge-in? | and so it isn't our jane
What happens to memory when I interrupt? | what happens to men are you and i interrupt
Is this full duplex? | is this full duplex
Do you have a wake word? | do you have the lake word
How does a computer turn speech into text? | how does a computer turned speech into text
Who published Whisper? | here are published whisper
What is the difference between Whisper and faster-whisper? | what is the difference between whisper and faster whisper
What is whisper.cpp? | what is less per se p p
What does WhisperX add? | what does whispered sad
Which size of Whisper should I take? | which size of whispers to ninety eight
Why does Whisper pad to thirty seconds? | why does whispered had to thirty seconds
Why does Whisper say thanks for watching when it is silent? | why does whisper say thanks for watching when it is silent
How do you calculate the word error rate? | how do you calculate the word they're great
Explain real-time factor | explain real time factor
Is PocketSphinx any good? | his pop thanks any good
What's a recognition grammar? | let's a recognition grammar
What does the acoustic model do? | what does the acoustic model do
Is streaming recognition better than batch? | is streaming recognition better than cats
What are partial transcripts for? | what are partial transcript floor
Can you tell different speakers apart? | can you tell different speakers apart
What's a token, exactly? | let sit up and exactly
How big is the context window? | how big is the context window
Why is time to first token important? | why is time to first job in important
How many tokens per second does it make? | how many tokens per second as it may
What is a good prompt? | what is a good prompt
How do I change the persona? | how do i change the percentage
What does the temperature of a model do? | what does the temperature of the model to you
What does quantization do to a model? | what does condensation didn't nadal
Where do I get Ollama? | where do i get on it
What is a GGUF file? | what is a g g f file
Is a larger model always better? | is a larger model always enter
Do I need a graphics card for this? | do i need a graphics card for this
Can the model call functions? | can the model called functions
How does the router choose between chat and search? | how does their energy use between ten and search
Do you remember what I said before? | do you remember what i said before
Explain retrieval augmented generation | explain retrieval augmented generation
Why do language models make things up? | why the language models make things up
What is a prompt injection attack? | what is it prompts injection attack
Can I use OpenAI instead? | can i use open i instead
How does speech synthesis work? | how does the two sentences for it
What are phonemes? | what are found aims
How are letters turned into sounds? | our letters turned into sounds
What does prosody mean? | what does pasadena aim
Tell me something about Kokoro | tell me something about the car
Is Piper fast? | his diaper fast
Why does your voice sound like a robot? | why does your voice sounds like a robot
What does a vocoder do? | what does a vampire do
Which voices can I choose from? | when choices can i choose from
Why do you speak sentence by sentence? | why do you use peak sentence by sentence
Can you read Markdown aloud? | can you read mark down allowed
Why are you so slow? | why are you so slow
What's in the latency budget? | what's in the latency budget
What does voice to voice mean? | what does sliced advice mean
How do I read the waterfall picture? | how do i read the waterfall picture
How does the eager start work? | count as a teacher start work
Why is the first reply slower than the others? | why is the first reply slower than the others
What is this workshop? | what is this workshop
How many notebooks are there? | how many notebooks are there
Which commands can I type? | which commands can i die up
How do I run the doctor? | how do i ran the doctor
What does the demo do? | what does that then our daily
How do I start talking to the assistant? | how do i start talking to the assistant
My microphone isn't working | my microphone isn't working
How do you find an answer? | have you you find an answer
How can I give you a different voice? | how can i give you a different place
How do I switch to another language model? | how do i switched to another language nadal
Can you speak German? | can you speak german
Do I need an internet connection? | do i need an internet connection
Are you sending my voice to the cloud? | are you sending my advice to the cloud
How do I open JupyterLab? | and desire punjab right to land
What is anywidget for? | what is any widget far
What do you use papermill for? | what do you use paper mill far
Why does it use a WebSocket? | why doesn't he is a website that
How does Ray help with many users? | how does ray help with many users
What do you need Redis for? | what do you need rate is far
Can I run it in Docker? | can i ran it in dr
Is it free to use? | is it fried onions
Hello! | hello
Hi, how are you today? | hi how are you today
Thank you so much | thank you so much
Bye, see you tomorrow | i see you tomorrow
And who are you? | and here are you
What can you help me with? | what can you help me with
Yes, please | yes please
No, thanks | no thanks
""".strip().splitlines()
)
"""What was asked, from handbook_questions.KNOWN, and what was written."""
