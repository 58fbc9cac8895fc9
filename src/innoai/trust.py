"""Whom innoai trusts where it calls others over TLS: model servers and the receivers of webhooks."""

from __future__ import annotations

import ssl


def tls_context() -> ssl.SSLContext:
    """A new context that trusts the system's authorities, or those of the file that SSL_CERT_FILE names."""
    context = ssl.create_default_context()
    # From Python 3.13 on the default refuses certificates that do not name their authority's key, as private
    # authorities issue them, and curl and nginx take them. Which Python it is must not decide who is reached.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
