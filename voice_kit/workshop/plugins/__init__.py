"""Engines that live outside the kit, one example of each kind. None of them is loaded by it."""
