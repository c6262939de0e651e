"""Which sentences the skills understand, as which call, and which they leave alone."""

import re
import time

import pytest
from helpers_skills import MACHINE, AtHome
from hypothesis import given, settings
from hypothesis import strategies as st

from voice_kit.think.skills.phrases import heard, one_of
from voice_kit.think.skills.skill import Skills, skill
from voice_kit.types import ToolCall

UNDERSTOOD = """
tell_time
  what time is it | What's the time? | whats the time | WHAT TIME IS IT | tell me the time
  could you tell me what time it is please | hey what time is it now | do you know what time it is
  um what time uh is it | the time please | how late is it
tell_time place=tokyo
  what time is it in Tokyo | what's the time in tokyo please | what time is it now in tokyo
  What time is it right now in Tokyo? | tell me the current time in tokyo | what is tokyo time
tell_time place=new york
  whats the time in new york | What time is it in New York?
tell_date
  what day is it | what's the date | What is today's date? | what day is it today
  which day is it | tell me the date | what is the date today | what day of the week is it
tell_date day=tomorrow
  what day is tomorrow | what date is it tomorrow
tell_date day=the 24th of december
  what day is the 24th of December | what day of the week is the 24th of december
days_until day=christmas
  how many days until christmas | how long is it until Christmas? | how many days till christmas
set_timer minutes=25
  set a timer for twenty five minutes | Set a timer for 25 minutes.
  set a timer for twenty-five minutes
  please set a timer for 25 minutes | can you set a timer for twenty five minutes please
  start a twenty five minute timer | i need a timer for 25 minutes | timer for twenty five minutes
  give me a 25-minute timer | twenty five minute timer | count down twenty five minutes
  hey could you please start a new timer of 25 minutes for me thanks
set_timer minutes=4
  set a timer for four minutes | set a timer for for minutes
set_timer hours=1 minutes=30
  set a timer for an hour and a half | set a timer for one hour and thirty minutes
  set a timer for ninety minutes | set a timer for 1 hour 30 minutes
  set a timer for one hour thirty
set_timer minutes=30
  set a timer for half an hour | start a half an hour timer
set_timer minutes=10 name=pasta
  set a pasta timer for ten minutes | set a ten minute pasta timer | set a 10 minute timer for pasta
  set a timer for ten minutes for the pasta | set a timer called pasta for ten minutes
  set a timer for ten minutes called pasta | set a timer for the pasta for 10 minutes
set_alarm time=07:30
  wake me at half past seven | Wake me up at 7:30. | wake me up at seven thirty
  set an alarm for seven thirty am | set an alarm for 7:30 a.m. | set a 7:30 am alarm
  set an alarm for half past seven in the morning | wake me at 730 | alarm at seven thirty a m
  i need to get up at half past seven
set_alarm time=07:30 day=tomorrow
  set an alarm for seven thirty am tomorrow | wake me up tomorrow at half past seven
  set an alarm for tomorrow morning at 7:30 | wake me tomorrow morning at seven thirty
set_alarm time=7:30 am or pm
  set an alarm for seven thirty | set the alarm for half past seven | set an alarm at 7:30
set_alarm time=19:00 day=monday
  set an alarm for seven pm on monday | set an alarm for monday evening at seven
set_alarm time=21:40
  set an alarm for twenty to ten pm | set an alarm for 21:40
  set an alarm for nine forty in the evening
set_alarm_in hours=2
  wake me in two hours | set an alarm in 2 hours | set an alarm for two hours from now
remind_me about=call my mum minutes=10
  remind me to call my mum in ten minutes | remind me in ten minutes to call my mum
  in ten minutes remind me to call my mum | set a reminder to call my mum in 10 minutes
remind_me about=Water the plants time=19:30
  remind me to Water the plants at half past seven pm | remind me at 19:30 to Water the plants.
remind_me minutes=5
  remind me in five minutes
time_left
  how much time is left | how long is left | how much longer | how long is left on the timer
  how much time left on my timer | how much time do i have left
time_left name=pasta
  how long is left on the pasta timer | how much time is left on my pasta timer
time_left what=timer
  what timers do i have | when is the timer done | list my timers | check the timer
time_left what=alarm
  when is my next alarm | what alarms are set | show my alarms
cancel what=timer
  cancel the timer | stop the timer | cancel my timer please
  turn off the timer | delete that timer
cancel what=timer name=pasta
  cancel the pasta timer | stop my pasta timer | cancel the timer called pasta
cancel what=alarm
  cancel the alarm | turn off the alarm | stop the alarm | switch off my alarm
cancel what=timer every=True
  cancel all timers | cancel all my timers | cancel every timer | cancel my timers
snooze
  snooze | snooze it
snooze minutes=10
  snooze for ten minutes
add_note text=buy milk
  take a note: buy milk | take a note buy milk | make a note that buy milk | note to self buy milk
  note down buy milk | add buy milk to my notes | write down buy milk please | jot down buy milk
add_note text=the Wi-Fi password is Tulip
  Make a note that the Wi-Fi password is Tulip.
add_note text=milk notebook=shopping
  add milk to my shopping list | put milk on the shopping list
  please add milk to the shopping list
add_note text=milk notebook=list
  add milk to my list | put milk on the list please
read_notes notebook=list
  what's on my list | read me my list | show the list
delete_last_note notebook=list
  delete the last note from my list | remove the last item from the list
read_notes
  read my notes | Read my notes. | read me my notes please | what notes do i have
  what do my notes say | read back my notes | do i have any notes
read_notes last=1
  read my last note | read me the latest note
read_notes notebook=shopping
  what's on my shopping list | read the shopping list | read me my shopping list
delete_last_note
  delete the last note | delete my last note please | remove the last note | scratch that last note
delete_last_note notebook=shopping
  remove the last item from my shopping list
calculate expression=twelve times seven
  what is twelve times seven | what's twelve times seven | how much is twelve times seven
  calculate twelve times seven | twelve times seven | what is twelve times seven please
calculate expression=three hundred and ten times twelve
  what's three hundred and ten times twelve | three hundred and ten times twelve equals
calculate expression=15% of 80
  what is 15% of 80? | how much is 15% of 80
convert amount=5 unit=mile to=kilometer
  convert five miles to kilometers | how many kilometers are in five miles | what is 5 miles in km
  five miles in kilometres | how much is five miles in kilometers | how many km is 5 miles
convert amount=1 unit=mile to=foot
  how many feet in a mile | how many feet are in a mile | how many feet are there in one mile
convert amount=70 unit=degree_Fahrenheit to=degree_Celsius
  what is 70 degrees fahrenheit in celsius | convert seventy degrees Fahrenheit to degrees Celsius
stop
  stop | Stop. | stop it | stop talking | be quiet | quiet please | shut up | okay stop | wait stop
  that's enough | enough | shush | please be quiet now
say_again
  say that again | Say that again. | repeat that | can you repeat that please | what did you say
  say it again please | pardon | again | once more | repeat | come again | say that one more time
say_differently
  say that in other words | repeat that in other words | repeat in other words | rephrase that
  put it another way | explain that in simpler words
change_loudness how=louder
  louder | Louder. | louder please | speak louder | a bit louder | speak up | talk a little louder
  turn it up | turn up the volume | turn the volume up a bit | you are too quiet | i can't hear you
change_loudness how=quieter
  quieter | speak more quietly | softer please | turn it down
  turn down the volume | you're too loud
change_pace how=slower
  slower | speak more slowly | slow down | a bit slower please
  talk slower | you're speaking too fast
change_pace how=faster
  faster | speak faster | speed up | a little faster | talk more quickly
what_can_you_do
  what can you do | What can you do? | what can i say | what are you able to do | help
open_app name=text editor
  open the text editor | open text editor please | start the text editor app
open_page url=https://example.org
  open example dot org | go to example.org | open https://example.org
  visit the website example.org
screenshot
  take a screenshot | take a screen shot please | make a screenshot
volume percent=50
  set the volume to fifty percent | set the volume to 50% | set the system volume to 50
volume percent=0
  mute the computer
"""

LEFT_ALONE = """
remind me what a timer is | remind me who you are | remind me of you | remind me
turn down the idea | turn down the offer | turn up at seven | turn the page
what is a timer | a timer is a device | how do i set a timer | set a timer | why set a timer
don't set a timer for ten minutes | never set a timer for ten minutes
he set a timer for ten minutes
set a timer for ten minutes or so | set a timer for purple minutes
set a timer for minus ten minutes
set a timer for ten minutes and open the door | set the table for ten people | set a record
wake me up before you go go | wake me up when september ends | an alarming rate
set an alarm for twenty five thirty | set an alarm for seven seventy
set an alarm for every weekday at seven | wake me at seven in the afternoon in the morning
what time does the train leave | what time is it on mars | what time is it in the movie
what is the time complexity of quicksort | time flies | the time of my life
what day is independence day | what is the date of the battle of hastings | when is the next train
how many people live in paris | how long does it take | how long is a marathon
how long until dinner
how much is left of the cake | how much is the fish
cancel my subscription | cancel the meeting at three | cancel culture
stop the car | stop asking why
stop me if you know this one | can you stop the rain | be quiet about it | quiet places in london
read me a story | read a book | read between the lines | read my mind
take notes in class | take note of this | what is a note | what note is this | make a note
delete the last sentence | delete everything | remove the stain
add salt | add two cups of sugar | put on a jumper
what is love | what is ten | ten | twelve | what is the square of opposition | what is two in french
what is twelve times seven in binary | what does times square look like | two and two
convert to islam | convert ten dollars to euros | how many angels dance on a pin
how many miles to babylon | five miles | how far is the moon
say hello again | say that again but slower | who said that | you can say that again to my mother
what did you say about paris | say something in other words
why is it getting louder | tell me about louder music | the louder the better | speak french
slow cooker recipes | how do i slow down time | faster than light | is it faster by train
what can you do about climate change | what can dogs do | help me with my homework
open the door | open your mind | open sesame | open calculus | open a bank account
open file colon slash slash etc | open the pod bay doors
the volume of a sphere | set the volume to eleven hundred bananas | mute swans
I stopped the timer yesterday | what happens if i say stop | what does stop mean
"""


def cases():
    call = None
    for line in UNDERSTOOD.strip().split("\n"):
        if not line.startswith(" "):
            name, _, rest = line.partition(" ")
            pairs = re.findall(r"(\w+)=(.*?)(?= \w+=|$)", rest)
            call = name, dict(pairs)
        else:
            yield from ((*call, words.strip()) for words in line.split(" | "))


CASES = list(cases())
NEAR_MISSES = [
    words.strip() for line in LEFT_ALONE.splitlines() for words in line.split("|") if words.strip()
]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return AtHome(tmp_path_factory.mktemp("home"), allow=MACHINE)


def test_the_lists_are_there():
    assert len(CASES) > 200 and len(NEAR_MISSES) > 100


@pytest.mark.parametrize("tool, arguments, words", CASES)
def test_is_understood(home, tool, arguments, words):
    call = home.skills.find(words)
    assert call is not None
    assert (call.tool, {key: str(value) for key, value in call.arguments.items()}) == (
        tool,
        arguments,
    )
    home.tools.prepared(call)  # what a skill asks for, its tool takes


@pytest.mark.parametrize("words", NEAR_MISSES)
def test_is_left_to_others(home, words):
    assert home.skills.find(words) is None


def test_every_skill_was_tried(home):
    assert {tool for tool, _, _ in CASES} == {each.name for each in home.skills.tools}


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_can_be_heard(home, words):
    sentence = heard(words)
    assert len(sentence.places) == len(sentence.written)
    home.skills.find(words)


@settings(deadline=None)
@given(st.lists(st.sampled_from(sorted({w for _, _, s in CASES for w in s.split()})), max_size=12))
def test_whatever_is_understood_can_be_called(home, words):
    call = home.skills.find(" ".join(words))
    if call is not None:
        home.tools.prepared(call)


@settings(deadline=None)
@given(
    st.sampled_from(CASES), st.sampled_from(["zebra", "not", "don't", "about", "why"]), st.data()
)
def test_one_word_too_many_and_it_is_no_longer_the_same(home, case, word, data):
    tool, _, words = case
    if word in ("about", "not") and tool in ("add_note", "remind_me"):
        return  # their own words may be anything
    said = words.split()
    place = data.draw(st.integers(0, len(said)))
    call = home.skills.find(" ".join([*said[:place], word, *said[place:]]))
    own_words = {"name", "text", "about", "notebook"}
    assert call is None or own_words & call.arguments.keys()


@pytest.mark.parametrize(
    "words",
    [
        *("blah " * 5000, "set a timer for " + "ten minutes and " * 80, "please " * 1000 + "stop"),
        *("remind me to " + "x in at " * 160, "what is " + "1 plus " * 180, "seven to " * 150),
        *("how many " + "in a " * 250, "add " + "to my list " * 120, "what is " + "in to " * 200),
    ],
)
def test_a_sentence_that_never_ends_takes_no_time(home, words):
    began = time.perf_counter()
    home.skills.find(words)
    assert time.perf_counter() - began < 0.5


def test_case_punctuation_and_courtesy_change_nothing(home):
    plain = [(words, home.skills.find(words)) for _, _, words in CASES]
    assert len(plain) > 200
    for words, call in plain:
        if call.tool in ("add_note", "remind_me"):
            continue  # they keep what was said as it was said
        for other in (words.upper(), f"Hey, {words}, please!", f"okay, can you {words}"):
            found = home.skills.find(other)
            assert found is not None, other
            assert found.tool == call.tool
            assert str(found.arguments).lower() == str(call.arguments).lower()


def test_a_new_skill_takes_a_function_and_the_phrases_that_ask_for_it():
    @skill(
        "roll [a | the] dice",
        "roll {count:number} dice",
        "throw {colour} dice [{count:number} times]",
        kinds={"colour": one_of(red="red | crimson", blue="blue")},
    )
    def roll_dice(count: int = 1, colour: str = "") -> str:
        """Roll dice, and say what came up."""
        return f"{count} {colour}"

    skills = Skills([roll_dice])
    assert skills.find("Roll the dice!") == ToolCall("roll_dice", {})
    assert skills.find("please roll two dice") == ToolCall("roll_dice", {"count": 2})
    both = ToolCall("roll_dice", {"colour": "red", "count": 3})
    assert skills.find("throw crimson dice three times") == both
    assert skills.find("roll green dice") is None
    assert skills.tools[0].parameters["properties"]["count"]["type"] == "integer"


@pytest.mark.parametrize("phrase", ["roll {dice", "roll (a | b", "roll {such:nonsense}", "a ] b"])
def test_a_phrase_that_is_written_wrongly_says_so(phrase):
    with pytest.raises(ValueError, match="the phrase"):
        skill(phrase)(lambda: "")


def test_the_skill_that_leaves_least_to_its_slots_is_taken():
    @skill("play {what:text}")
    def play(what: str) -> str:
        """Play anything."""
        return what

    @skill("play some music")
    def music() -> str:
        """Play music."""
        return ""

    for order in ([play, music], [music, play]):
        assert Skills(order).find("play some music").tool == "music"
    assert Skills([play, music]).find("play chess").tool == "play"


def test_what_is_offered_to_models_is_described(home):
    assert len(home.skills.tools) > 20
    for each in home.skills.tools:
        assert len(each.description) > 10, each.name
        assert each.parameters["type"] == "object"
        assert re.fullmatch(r"[a-z_]{1,64}", each.name)
