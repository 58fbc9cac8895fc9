<?php

declare(strict_types=1);

namespace InnoAI\Exception;

/** 401: the access or refresh token has outlived its lifetime. */
final class TokenExpired extends AuthenticationError
{
}
