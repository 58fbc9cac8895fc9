<?php

declare(strict_types=1);

namespace InnoAI\Exception;

/** 5xx: the server, or one behind it, failed. */
class InternalServerError extends APIStatusError
{
}
