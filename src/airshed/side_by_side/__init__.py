"""Any two things beside each other: runs, studies, or the logs of two trainings."""
