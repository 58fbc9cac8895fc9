<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** The tokens of a request. */
final class TokenUsage extends Model
{
    public readonly ?int $prompt_tokens;
    public readonly ?int $completion_tokens;
    public readonly ?int $total_tokens;
}
