"""Grading of submissions: answers cross the sandbox's boundary, never verdicts."""
