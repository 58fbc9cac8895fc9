<?php

declare(strict_types=1);

namespace InnoAI\Exception;

/** 429: too many requests. */
class RateLimitError extends APIStatusError
{
}
