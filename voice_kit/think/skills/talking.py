"""Skills: how we speak, and what was said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from voice_kit.think.skills.alarms import Alarms
from voice_kit.think.skills.numbers import listed
from voice_kit.think.skills.phrases import one_of
from voice_kit.think.skills.room import Room
from voice_kit.think.skills.skill import Phrased, skill
from voice_kit.think.tools import ToolError

LOUDNESS = {
    "how": one_of(
        louder="louder | more loudly",
        quieter="quieter | softer | more quietly | more softly | quietly",
    ),
    "way": one_of(louder="up", quieter="down"),
}
PACE = {
    "how": one_of(
        slower="slower | slowlier | more slowly | less fast | less quickly",
        faster="faster | quicker | more quickly | less slowly",
    )
}
BIT = "[a bit | a little | a little bit | much | even | slightly | a lot]"


def talking_skills(room: Room, alarms: Alarms, can: Callable[[], Sequence[str]]) -> list[Phrased]:
    """Those about our own voice. `can` lists what the skills can do."""

    @skill(
        "[no | wait | hey] (stop | quiet | silence | hush | shush | enough | shut up) [it | that]"
        " [already | stop]",
        "stop (talking | speaking | reading | ringing | making noise | the noise | stop)",
        "(be | keep | stay) (quiet | silent | still)",
        "(that is | that will be) enough",
        "shut (it | your mouth)",
    )
    async def stop() -> str:
        """Fall silent, and stop whatever rings."""
        alarms.remove(alarms.ringing())
        room.hush()
        return "Okay."

    @skill(
        "[(say | tell me | repeat) (that | it | this)] [once more | one more time] again",
        "(repeat | say) (that | it | yourself | the last (sentence | answer))"
        " [again | once more | one more time]",
        "repeat [again | once more | one more time | what you [just] said]",
        "say [that | it] (once more | one more time)",
        "(what | pardon | come again | once more | one more time)",
        "(pardon | sorry) what [did you say | was that]",
        "what (did you [just] say | was that | have you said)",
        "i (did not | didn't | could not | couldn't) (hear | catch | get) (that | you)",
    )
    async def say_again() -> str:
        """Say the last answer again."""
        last = room.last_answer().strip()
        if not last:
            raise ToolError("I have not said anything yet.")
        return last

    @skill(
        "(say | repeat | put | explain) [that | it] [again] (in other words | differently"
        " | another way | in a different way | more simply | in simpler words | in simple words)",
        "(rephrase | paraphrase) (that | it)",
        "in other words",
        seconds=30.0,
    )
    async def say_differently() -> str:
        """Say the last answer again, in other words."""
        last = room.last_answer().strip()
        if not last:
            raise ToolError("I have not said anything yet.")
        if room.rephrase is None:
            return f"I have no other words without a language model. I said: {last}"
        return await room.rephrase(last)

    @skill(
        f"[(speak | talk | be | go | get | say it | say that)] {BIT} {{how}}",
        f"turn [it | yourself | the volume | the sound] {BIT} {{how:way}} [a bit | a little]",
        "turn {how:way} (the volume | the sound | your voice) [a bit | a little]",
        "volume {how:way}",
        ("speak up [a bit | a little]", {"how": "louder"}),
        ("(you are | it is | that is) [much] too (quiet | soft)", {"how": "louder"}),
        ("(you are | it is | that is) [much] too loud", {"how": "quieter"}),
        ("(not so | less) loud", {"how": "quieter"}),
        ("i (can not | cannot) hear you", {"how": "louder"}),
        kinds=LOUDNESS,
        can="speak louder or slower",
    )
    async def change_loudness(how: Literal["louder", "quieter"]) -> str:
        """Speak louder or quieter from now on."""
        if room.change_volume is None:
            raise ToolError("I cannot change how loud I am here. Use the volume of the speakers.")
        changed = room.change_volume(1 if how == "louder" else -1)
        return "Okay." if changed else f"I cannot speak any {how}."

    @skill(
        f"[(speak | talk | go | say it | say that | read)] {BIT} {{how}}",
        (f"(slow | calm) {BIT} down [a bit | a little]", {"how": "slower"}),
        ("speed up [a bit | a little]", {"how": "faster"}),
        ("(you are [speaking | talking] | you speak | that is) [much] too fast", {"how": "slower"}),
        ("(you are [speaking | talking] | you speak | that is) [much] too slow", {"how": "faster"}),
        ("(not so | less) fast", {"how": "slower"}),
        kinds=PACE,
    )
    async def change_pace(how: Literal["slower", "faster"]) -> str:
        """Speak slower or faster from now on."""
        if room.change_pace is None:
            raise ToolError("This voice cannot change its pace. Choose another one.")
        changed = room.change_pace(1 if how == "faster" else -1)
        return "Okay." if changed else f"I cannot speak any {how}."

    @skill(
        "what can (you do | i say | i ask | you help [me] with) [for me | you]",
        "what (are you able to do | do you do | can i ask [you])",
        "what (are your skills | else can you do | do you know how to do)",
        "(help | help me)",
        "how can you help [me]",
    )
    def what_can_you_do() -> str:
        """What the assistant can do without any language model."""
        return f"I can {listed(can())}."

    return [stop, say_again, say_differently, change_loudness, change_pace, what_can_you_do]
