"""Work on the whole graph: checking it, trying other rules on it, folding it again. In chunks of bounded size."""
