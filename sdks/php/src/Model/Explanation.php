<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** How the server would decide on a request, check by check in the order of the deciding. */
final class Explanation extends Model
{
    public readonly bool $allowed;
    public readonly ?string $code;
    public readonly ?string $message;
    /** @var list<Check> */
    #[ListOf(Check::class)]
    public readonly array $checks;
}
