"""The report page, model card and technical file: text made from reports and a decision."""
