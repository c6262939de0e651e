"""What people say, whole and broken off: the test set of the text judge, frozen before it was made.

`python tests/judge_utterances.py` writes `judge_frozen.tsv` beside this file: each utterance as
Whisper would write it, and as PocketSphinx wrote it down from two of flite's voices. It needs the
program flite, and takes a few minutes. The same flite and PocketSphinx write the same file.
`python tests/judge_utterances.py FOLDER` writes the whole ones as recordings that
`voice-kit lab endpointing --data FOLDER` takes.

Whisper ends what it is given with a full stop or a question mark even where the speaker only drew
breath, so about half of the broken-off ones end with one. Nothing here shares four words in a row,
or the whole utterance, with what the judge learns from (`voice_kit/workshop/judging.txt`), and
the topics differ: gardens, pets, banks, doctors, football, paintings, hotels, parcels, the sky.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

FROZEN = Path(__file__).with_name("judge_frozen.tsv")
VOICES = (("slt", "rms"), ("awb", "kal16"))

FINISHED = """
How far away is the moon?
Who painted the Mona Lisa?
Which bus goes to the hospital?
Did Arsenal win last night?
Is the pharmacy still open?
How do you spell rhythm?
What's the tallest volcano in Europe?
Why do cats purr?
Where is my parcel?
Has anyone seen my bicycle pump?
Are penguins birds?
Can dogs eat chocolate?
When was the telescope invented?
How much does a haircut cost?
Do I need an umbrella?
What are you thinking about?
Who is this present for?
Where does that accent come from?
Any news from the dentist?
Would you rather be a bird or a fish?
How old is the Queen of Denmark?
Is there a chess club nearby?
What does photosynthesis mean?
Water the roses.
Lock the front door.
Book a table for two at the Italian place.
Open the garage.
Show me pictures of baby elephants.
Transfer fifty euros to Martha.
Skip this one.
Translate good night into Spanish.
Go back.
Read the next chapter.
Pause it.
Turn it down a bit.
Look it up.
Never mind, I found it.
Help me pick a film.
Order another bag of cat food.
Switch the fan off.
Leave it on.
Put the kettle on.
Yep.
Nope.
Absolutely.
Not really.
Maybe later.
I think so.
Of course not.
Blue.
Seven.
42.
Half an hour.
On Thursday.
The second one.
Dr. Miller.
Extra large.
Both of them.
Neither.
About a dozen.
At a quarter to nine.
With milk and sugar.
A window seat.
Cheers.
Brilliant.
That's all.
I don't know.
It doesn't matter.
In the garden.
3.5.
1969.
7:30.
I lost my keys at the zoo.
My back hurts.
The soup was far too salty.
We painted the fence green.
They moved to Scotland in April.
Our neighbours are very noisy.
He never answers his phone.
I'd like a single room, please.
If it snows, we'll stay inside.
That was a silly joke.
Somebody knocked.
I'm allergic to peanuts.
You sound tired.
She plays the violin.
Because the tyre was flat.
It costs 12.99.
""".strip().splitlines()

UNFINISHED = """
Could you find me a
How many people live in the?
Book a flight to.
Who wrote the...
I'd rather.
My sister and I.
The reason is that
When the postman comes,
If you see a fox.
We need paint, brushes,
Roses, tulips and.
Is it true that?
Er...
Hmm, well.
Or maybe.
Although.
Show me the way to...
Transfer a hundred.
Translate the word.
It's not that I
I went to the zoo and.
She told me that her
The thing about gardening is.
There's a.
Have you ever been?
Did the doctor say?
My account number is 8 3.
079
2, 4, 6, 8,
The code is 1-9.
The registration is KT5.
3 point.
Half past.
Between eight and.
Add strawberries, cream,
I was thinking we might.
Let's.
Let me...
Can I?
Would it be possible to?
Please open the.
How do I get from the station to?
What's the difference between?
What happens if
Why don't we?
Where did you put my?
Which of these?
I've been trying to...
He's probably.
They don't really.
We're looking for a small.
The hotel with the.
A cup of.
At the—
On the other hand,
For example.
I mean,
You know...
The old man who.
It was a very.
It would be more.
My favourite painter is, uh.
Put it in the, um,
Yes, but.
No, because.
Not the red one, the.
First of all.
Before we leave,
While I was cycling.
As soon as
Even though the match.
Instead of.
In order to...
Compared with.
The dentist wants me to.
Ask Martha whether.
Tell him I'm
I gave the parcel to my.
Remind him to bring.
Look for.
Because my.
And then she said,
Actually, can you?
Hey, could you...
The vet said we should.
Do these shoes come in?
Is your dog
That painting over the.
A goalkeeper is someone who.
""".strip().splitlines()

ALOUD = {
    "42.": "forty two",
    "3.5.": "three point five",
    "1969.": "nineteen sixty nine",
    "7:30.": "seven thirty",
    "Dr. Miller.": "doctor miller",
    "It costs 12.99.": "it costs twelve ninety nine",
    "My account number is 8 3.": "my account number is eight three",
    "079": "zero seven nine",
    "2, 4, 6, 8,": "two four six eight",
    "The code is 1-9.": "the code is one nine",
    "The registration is KT5.": "the registration is K T five",
    "3 point.": "three point",
}
"""What flite is to say where numbers are written."""


def spoken() -> Iterator[tuple[str, str, str]]:
    """Label, voice and what the voice is to say."""
    for label, texts in (("finished", FINISHED), ("unfinished", UNFINISHED)):
        for place, text in enumerate(texts):
            for voice in VOICES[place % 2]:
                yield label, voice, ALOUD.get(text, text).rstrip(".,—?… ")


def rows() -> Iterator[tuple[str, str, str]]:
    """Label, "written" or a voice, and the words that the judge gets. Speaks and listens."""
    from voice_kit.hear.stt_sphinx import PocketSphinx
    from voice_kit.sounds.make import flite
    from voice_kit.types import RATE, Audio

    for label, texts in (("finished", FINISHED), ("unfinished", UNFINISHED)):
        yield from ((label, "written", text) for text in texts)
    sphinx = PocketSphinx()
    for label, voice, text in spoken():
        yield label, voice, sphinx.transcribe(Audio(flite(voice, "-t", text), RATE)).text
    sphinx.close()


def record(folder: Path) -> None:
    """Write the finished ones into this folder, by the voices in turn, and their list."""
    from voice_kit.audio.files import write
    from voice_kit.sounds.make import flite
    from voice_kit.types import RATE, Audio

    said = [(voice, text) for label, voice, text in spoken() if label == "finished"]
    notes = []
    for place, twice in enumerate(zip(said[::2], said[1::2], strict=True)):  # by two voices each
        voice, text = twice[place // 2 % 2]
        file = f"{place:03}_{voice}.wav"
        write(folder / file, Audio(flite(voice, "-t", text), RATE))
        notes.append({"file": file, "kind": "speech", "text": text})
    (folder / "manifest.json").write_text(json.dumps(notes, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        record(Path(sys.argv[1]))
    else:
        lines = ["\t".join(row) for row in rows()]
        FROZEN.write_text("\n".join(lines) + "\n", encoding="utf-8")
