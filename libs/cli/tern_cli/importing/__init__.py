"""Files of history on their way into a platform: read, put into the shape of events, sent in parts."""
