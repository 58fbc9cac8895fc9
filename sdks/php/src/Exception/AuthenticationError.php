<?php

declare(strict_types=1);

namespace InnoAI\Exception;

/** 401: the credential is not good. */
class AuthenticationError extends APIStatusError
{
}
