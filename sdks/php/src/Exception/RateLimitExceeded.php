<?php

declare(strict_types=1);

namespace InnoAI\Exception;

/** 429: more than the credential's requests a minute; wait `retry_after` seconds. */
final class RateLimitExceeded extends RateLimitError
{
}
