"""The report of a study: one page that answers its question (``page.build_report``)."""
