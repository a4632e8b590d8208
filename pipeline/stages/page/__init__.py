"""The report page and the model card: reports and a decision in, text out."""
