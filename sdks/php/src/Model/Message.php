<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** What the model says. */
final class Message extends Model
{
    public readonly string $role;
    public readonly ?string $content;
    public readonly ?string $refusal;
    /** @var list<array<string, mixed>>|null */
    public readonly ?array $tool_calls;
}
