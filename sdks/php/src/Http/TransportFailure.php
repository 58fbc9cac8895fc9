<?php

declare(strict_types=1);

namespace InnoAI\Http;

/** A request without an answer, or with half of one. Its message names no header and no body. */
final class TransportFailure extends \RuntimeException
{
    public function __construct(public readonly Failure $failure, string $message)
    {
        parent::__construct($message);
    }
}
