<?php

declare(strict_types=1);

namespace InnoAI;

use InnoAI\Exception\InvalidArgument;

/**
 * Is this webhook from our server? Two signatures of the same secret; either alone proves the sender.
 *
 * `verify` checks `x-innoai-signature`; `verifyStandard` the Standard Webhooks headers, which stop replays too. Both
 * take the exact bytes of the body, `file_get_contents('php://input')`, and compare in constant time. `sign` and
 * `signStandard` make what they check, for tests of a receiver.
 */
final class Webhook
{
    /** Seconds that a delivery's timestamp may differ from the receiver's clock. */
    public const DEFAULT_TOLERANCE = 300;

    private const SECRET_PREFIX = 'whsec_';
    private const SCHEME = 'v1';

    /**
     * Whether the signature is the lower-case hex HMAC-SHA256 of the payload.
     *
     * Null, as from a request without the header, is no signature. Throws InvalidArgument on an empty secret, with
     * which anyone could sign.
     */
    public static function verify(string $payload, ?string $signature, #[\SensitiveParameter] string $secret): bool
    {
        $expected = self::sign($payload, $secret);
        return $signature !== null && hash_equals($expected, $signature);
    }

    /** The payload's `x-innoai-signature`. Throws InvalidArgument on an empty secret. */
    public static function sign(string $payload, #[\SensitiveParameter] string $secret): string
    {
        self::requireSecret($secret);
        return hash_hmac('sha256', $payload, $secret);
    }

    /**
     * Whether webhook-id, webhook-timestamp and webhook-signature fit the payload (Standard Webhooks 1.0).
     *
     * One good signature of several is enough, so that a secret can be changed. Throws InvalidArgument on a secret that
     * is not base64 or empty.
     *
     * @param array<string, string|list<string>> $headers in any case, as getallheaders() or PSR-7 give them
     * @param string $secret base64, with or without `whsec_`
     * @param int|float $tolerance seconds that the timestamp may lie off `now`
     * @param int|float|null $now seconds since the epoch, the clock's by default
     */
    public static function verifyStandard(
        string $payload,
        array $headers,
        #[\SensitiveParameter] string $secret,
        int|float $tolerance = self::DEFAULT_TOLERANCE,
        int|float|null $now = null,
    ): bool {
        self::standardKey($secret);
        $fields = [];
        foreach ($headers as $name => $value) {
            $fields[strtolower((string) $name)] = is_array($value) ? implode(',', $value) : $value;
        }
        [$id, $timestamp, $signatures] = [
            $fields['webhook-id'] ?? null,
            $fields['webhook-timestamp'] ?? null,
            $fields['webhook-signature'] ?? null,
        ];
        if (!is_string($id) || !is_string($timestamp) || !is_string($signatures)) {
            return false;
        }
        if (preg_match('/\A\d{1,15}\z/', $timestamp) !== 1) {
            return false;
        }
        if (abs(($now ?? microtime(true)) - (int) $timestamp) > $tolerance) {
            return false;
        }
        $expected = self::signStandard($payload, $id, $timestamp, $secret);
        $good = false;
        foreach (explode(' ', $signatures) as $signature) {
            $good = hash_equals($expected, $signature) || $good;
        }
        return $good;
    }

    /**
     * The `webhook-signature` of a payload beside that webhook-id and webhook-timestamp.
     *
     * Throws InvalidArgument on a secret that is not base64 or empty.
     *
     * @param string $timestamp seconds since the epoch
     */
    public static function signStandard(
        string $payload,
        string $id,
        string $timestamp,
        #[\SensitiveParameter] string $secret,
    ): string {
        $digest = hash_hmac('sha256', "{$id}.{$timestamp}.{$payload}", self::standardKey($secret), true);
        return self::SCHEME . ',' . base64_encode($digest);
    }

    private static function standardKey(#[\SensitiveParameter] string $secret): string
    {
        self::requireSecret($secret);
        $text = str_starts_with($secret, self::SECRET_PREFIX) ? substr($secret, strlen(self::SECRET_PREFIX)) : $secret;
        if (preg_match('~\A[A-Za-z0-9+/]*={0,2}\z~', $text) !== 1 || strlen($text) % 4 !== 0) {
            throw new InvalidArgument('The webhook secret is not base64: pass it as the server showed it.');
        }
        $key = (string) base64_decode($text, true);
        self::requireSecret($key);
        return $key;
    }

    private static function requireSecret(#[\SensitiveParameter] string $secret): void
    {
        if ($secret === '') {
            throw new InvalidArgument("The webhook secret is empty: pass the endpoint's secret.");
        }
    }
}
