"""The parts of the generated package that no spec changes: copied into it with the header added."""
