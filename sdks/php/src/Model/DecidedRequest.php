<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** A request that was decided about, check by check. */
final class DecidedRequest extends Model
{
    public readonly string $object;
    public readonly ?string $request_id;
    public readonly \DateTimeImmutable $at;
    public readonly string $key_id;
    public readonly ?string $customer_id;
    /** `key`, `token` or `customer`. */
    public readonly string $bearer;
    public readonly string $method;
    /** Its row of the matrix, such as `/v1/keys/{key_id}`. */
    public readonly string $path;
    public readonly ?string $address;
    public readonly ?string $model;
    public readonly bool $allowed;
    public readonly ?string $code;
    public readonly ?string $message;
    /** @var list<Check> */
    #[ListOf(Check::class)]
    public readonly array $checks;
}
