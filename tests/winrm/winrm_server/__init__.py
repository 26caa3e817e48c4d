"""An independent WinRM server for tests: WS-Man and its command shell over HTTP and HTTPS, with commands that are really executed.

It shares no code with Drydock: what both sides agree on, they agree on because the protocol says so."""
