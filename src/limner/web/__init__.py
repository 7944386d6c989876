"""`limner studio`: all verbs on a page in the browser, served by this machine."""
