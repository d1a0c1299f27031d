"""Whatever comes, only documented errors come out: 10,000 made-up inputs for each property."""
