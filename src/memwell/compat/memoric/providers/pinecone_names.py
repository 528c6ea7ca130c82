"""The host of a Pinecone index by its name, from Pinecone's control plane."""

from __future__ import annotations

import re
from typing import Any

from memwell.errors import BackendError, ConfigError, Unavailable

__all__ = ["host_of"]

_CLOUDS = "aws|gcp|azure"


def host_of(name: str, key: str | None, dimension: int, metric: str, environment: str | None) -> str:
    """The host of an index, which is created in the environment if there is none of this name.

    Raises `ConfigError` for a missing index without an environment, or a key that is refused; `Unavailable` if Pinecone
    cannot be reached.
    """
    try:
        import pinecone
        from pinecone import errors
    except ImportError as error:
        raise ConfigError("Pinecone needs its package; run: pip install 'memwell[pinecone]'") from error
    client: Any = None
    try:
        client = pinecone.Pinecone(api_key=key)
        try:
            found = client.describe_index(name)
        except errors.NotFoundError as error:
            if environment is None:
                raise ConfigError(
                    f"there is no Pinecone index {name!r}: create it, or set PINECONE_ENVIRONMENT to where that is"
                    " to be done, such as aws/us-east-1"
                ) from error
            cloud, region = _place_of(environment)
            spec = pinecone.ServerlessSpec(cloud=cloud, region=region)
            found = client.create_index(name, spec=spec, dimension=dimension, metric=metric)
        return str(found.host)
    except (errors.UnauthorizedError, errors.ForbiddenError) as error:
        raise ConfigError("Pinecone refuses the key; check PINECONE_API_KEY") from error
    except (errors.PineconeConnectionError, errors.PineconeTimeoutError, errors.ServiceError) as error:
        raise Unavailable(f"Pinecone cannot be reached: {error}") from error
    except errors.PineconeError as error:
        raise BackendError(f"Pinecone: {error}") from error
    finally:
        getattr(client, "close", lambda: None)()


def _place_of(environment: str) -> tuple[str, str]:
    """Cloud and region: `aws/us-east-1`, `us-east-1-aws`, or a region of AWS."""
    if found := re.fullmatch(rf"({_CLOUDS})[/:](.+)", environment):
        return found[1], found[2]
    if found := re.fullmatch(rf"(.+)-({_CLOUDS})", environment):
        return found[2], found[1]
    return "aws", environment
