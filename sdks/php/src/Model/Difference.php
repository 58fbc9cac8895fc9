<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** Requests to which the change makes one difference. `check`, `message`: of the new refusal. */
final class Difference extends Model
{
    public readonly string $code;
    public readonly ?string $check;
    public readonly ?string $message;
    public readonly ?string $required_scope;
    public readonly int $requests;
    /** @var list<PreviewExample> */
    #[ListOf(PreviewExample::class)]
    public readonly array $examples;
}
