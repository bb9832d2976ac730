"""The course around the lessons: graded questions, each defined once."""
