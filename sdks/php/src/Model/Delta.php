<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** What a piece of a stream adds to the message. */
final class Delta extends Model
{
    public readonly ?string $role;
    public readonly ?string $content;
    public readonly ?string $refusal;
    /** @var list<array<string, mixed>>|null */
    public readonly ?array $tool_calls;
}
