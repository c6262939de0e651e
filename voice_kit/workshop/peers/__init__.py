"""voice-kit beside pipecat-ai, livekit-agents and a loop written by hand: `make bench`.

Each peer has an environment of its own, made by `environments` from `requirements/NAME.txt`.
`scenes` cuts one sound for all from the recordings in `voice_kit.sounds`; the scripts `kit_bench`,
`by_hand`, `pipecat_bench` and `livekit_bench` hear it in real time, answer it with stub engines
that only wait, and print what happened when, a line of JSON an event; `run` lets them take turns,
and `table` makes figures of the lines. In a peer's environment there is no voice-kit: `run` lends
it this folder, and the peer's scripts import their peer, numpy and `stage` only.

Licences of the peers, which are fetched and never shipped: pipecat-ai BSD-2-Clause,
livekit-agents and livekit-plugins-silero Apache-2.0. All of them carry Silero's network, MIT.
"""
