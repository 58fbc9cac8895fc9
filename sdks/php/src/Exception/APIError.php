<?php

declare(strict_types=1);

namespace InnoAI\Exception;

/** A request that did not end well: refused by the server, or without an answer that can be read. */
class APIError extends \RuntimeException implements InnoAIException
{
}
