<?php

declare(strict_types=1);

namespace InnoAI\Exception;

/** There is no answer, or half of one: the connection could not be made, or broke. */
class APIConnectionError extends APIError
{
}
