"""Parts of the study `phenomena`: rows that need more than one run, the figure, the page."""
