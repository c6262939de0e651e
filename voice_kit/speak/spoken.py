"""How symbols are said, language by language."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spoken:
    """The words of one language for what is written in signs."""

    code: str
    """Said once in place of a block of code."""
    dot: str
    at: str
    slash: str
    to: str
    """Between the ends of a range: "3 to 5"."""
    number: str
    about: str
    signs: dict[str, str]
    """One sign, one word, said with spaces around it."""
    units: dict[str, str]
    """Said after a number."""
    money: dict[str, tuple[str, str]]
    """One of it, and several."""
    cents: str
    """Between units and hundredths: "3 dollars 50"."""
    fractions: dict[str, str]
    fraction_and: str
    """Between a whole number and a fraction: "2 and a half"."""
    hour: str
    """Between hours and minutes."""
    full_hour: str
    """After an hour without minutes."""


_FRACTIONS = ("1/2", "1/3", "2/3", "1/4", "3/4")


def _fractions(*words: str) -> dict[str, str]:
    return dict(zip(_FRACTIONS, words, strict=True))


def _signs(words: str) -> dict[str, str]:
    return dict(zip("&+=<>≤≥≠≈±×÷→−²³%°", words.split("|"), strict=True))


SPOKEN: dict[str, Spoken] = {
    "en": Spoken(
        "I left the code out.",
        *("dot", "at", "slash", "to", "number", "about"),
        _signs(
            "and|plus|equals|is less than|is greater than|is at most|is at least|is not equal to|"
            "is about|plus or minus|times|divided by|to|minus|squared|cubed|percent|degrees"
        ),
        {
            "%": "percent",
            "°C": "degrees Celsius",
            "°F": "degrees Fahrenheit",
            "°": "degrees",
            "km/h": "kilometres per hour",
            "mph": "miles per hour",
            "m/s": "metres per second",
            "ms": "milliseconds",
            "kHz": "kilohertz",
            "Hz": "hertz",
            "dB": "decibels",
            "GB": "gigabytes",
            "MB": "megabytes",
            "kB": "kilobytes",
        },
        {
            "$": ("dollar", "dollars"),
            "€": ("euro", "euros"),
            "£": ("pound", "pounds"),
            "¥": ("yen", "yen"),
        },
        " ",
        _fractions("one half", "one third", "two thirds", "one quarter", "three quarters"),
        " and ",
        " ",
        " o'clock",
    ),
    "fr": Spoken(
        "J'ai laissé le code de côté.",
        *("point", "arobase", "barre oblique", "à", "numéro", "environ"),
        _signs(
            "et|plus|égale|est inférieur à|est supérieur à|est au plus|est au moins|"
            "est différent de|vaut environ|plus ou moins|fois|divisé par|vers|moins|au carré|"
            "au cube|pour cent|degrés"
        ),
        {
            "%": "pour cent",
            "°C": "degrés Celsius",
            "°F": "degrés Fahrenheit",
            "°": "degrés",
            "km/h": "kilomètres à l'heure",
            "m/s": "mètres par seconde",
            "ms": "millisecondes",
            "kHz": "kilohertz",
            "Hz": "hertz",
            "dB": "décibels",
            "Go": "gigaoctets",
            "Mo": "mégaoctets",
        },
        {
            "$": ("dollar", "dollars"),
            "€": ("euro", "euros"),
            "£": ("livre", "livres"),
            "¥": ("yen", "yens"),
        },
        " ",
        _fractions("un demi", "un tiers", "deux tiers", "un quart", "trois quarts"),
        " et ",
        " heures ",
        " heures",
    ),
    "it": Spoken(
        "Ho lasciato fuori il codice.",
        *("punto", "chiocciola", "barra", "a", "numero", "circa"),
        _signs(
            "e|più|uguale|è minore di|è maggiore di|è al massimo|è almeno|è diverso da|è circa|"
            "più o meno|per|diviso|a|meno|al quadrato|al cubo|per cento|gradi"
        ),
        {
            "%": "per cento",
            "°C": "gradi Celsius",
            "°F": "gradi Fahrenheit",
            "°": "gradi",
            "km/h": "chilometri all'ora",
            "m/s": "metri al secondo",
            "ms": "millisecondi",
            "kHz": "chilohertz",
            "Hz": "hertz",
            "dB": "decibel",
            "GB": "gigabyte",
            "MB": "megabyte",
        },
        {
            "$": ("dollaro", "dollari"),
            "€": ("euro", "euro"),
            "£": ("sterlina", "sterline"),
            "¥": ("yen", "yen"),
        },
        " e ",
        _fractions("un mezzo", "un terzo", "due terzi", "un quarto", "tre quarti"),
        " e ",
        " e ",
        "",
    ),
    "es": Spoken(
        "He dejado fuera el código.",
        *("punto", "arroba", "barra", "a", "número", "unos"),
        _signs(
            "y|más|es igual a|es menor que|es mayor que|es como máximo|es al menos|"
            "es distinto de|es aproximadamente|más menos|por|entre|a|menos|al cuadrado|al cubo|"
            "por ciento|grados"
        ),
        {
            "%": "por ciento",
            "°C": "grados Celsius",
            "°F": "grados Fahrenheit",
            "°": "grados",
            "km/h": "kilómetros por hora",
            "m/s": "metros por segundo",
            "ms": "milisegundos",
            "kHz": "kilohercios",
            "Hz": "hercios",
            "dB": "decibelios",
            "GB": "gigabytes",
            "MB": "megabytes",
        },
        {
            "$": ("dólar", "dólares"),
            "€": ("euro", "euros"),
            "£": ("libra", "libras"),
            "¥": ("yen", "yenes"),
        },
        " con ",
        _fractions("un medio", "un tercio", "dos tercios", "un cuarto", "tres cuartos"),
        " y ",
        " y ",
        " horas",
    ),
    "de": Spoken(
        "Den Code lasse ich aus.",
        *("Punkt", "ät", "Schrägstrich", "bis", "Nummer", "etwa"),
        _signs(
            "und|plus|gleich|ist kleiner als|ist größer als|ist höchstens|ist mindestens|"
            "ist ungleich|ist ungefähr|plus minus|mal|geteilt durch|nach|minus|hoch zwei|"
            "hoch drei|Prozent|Grad"
        ),
        {
            "%": "Prozent",
            "°C": "Grad Celsius",
            "°F": "Grad Fahrenheit",
            "°": "Grad",
            "km/h": "Kilometer pro Stunde",
            "m/s": "Meter pro Sekunde",
            "ms": "Millisekunden",
            "kHz": "Kilohertz",
            "Hz": "Hertz",
            "dB": "Dezibel",
            "GB": "Gigabyte",
            "MB": "Megabyte",
        },
        {
            "$": ("Dollar", "Dollar"),
            "€": ("Euro", "Euro"),
            "£": ("Pfund", "Pfund"),
            "¥": ("Yen", "Yen"),
        },
        " ",
        _fractions("ein halb", "ein Drittel", "zwei Drittel", "ein Viertel", "drei Viertel"),
        " und ",
        " Uhr ",
        " Uhr",
    ),
}
