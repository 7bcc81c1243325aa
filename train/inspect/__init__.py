"""The microscope: every gradient of one sequence on one page."""
