"""mem0 as a store: `store` is the port, `dialects` what each of its APIs wants and answers, `memories` its memories."""
