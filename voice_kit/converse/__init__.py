"""The loop: from what is heard to what is said, and back when somebody interrupts."""
