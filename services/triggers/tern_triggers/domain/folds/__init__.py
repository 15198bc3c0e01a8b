"""What each kind of rule makes of a customer's facts: stories, from which cycles, steps and explanations follow."""
