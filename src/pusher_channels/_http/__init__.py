"""HTTP/1.1 for both clients: how requests are written and answers read, and connections for threads and for asyncio.

`messages` and `answers` do no I/O. `connections` and `async_connections` do it over sockets and asyncio;
`through_httpx` hands requests to an httpx client instead: the caller's own, or one for a proxy that needs it.
docs/http.md tells why it is built like this.
"""
