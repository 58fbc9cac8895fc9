<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** One of the answers to a conversation. */
final class Choice extends Model
{
    public readonly int $index;
    public readonly Message $message;
    public readonly ?string $finish_reason;
}
