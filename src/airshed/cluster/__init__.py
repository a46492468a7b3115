"""Studies as jobs: what a site needs, what a study will take, how far its trainings are."""
