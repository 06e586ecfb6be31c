"""The report: one page that reads what the other stages left and says it to a person."""
