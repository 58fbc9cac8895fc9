<?php

declare(strict_types=1);

namespace InnoAI\Exception;

/** 401: the key or token is malformed, unknown, revoked or disabled. */
final class InvalidApiKey extends AuthenticationError
{
}
