<?php

declare(strict_types=1);

namespace InnoAI\Token;

use InnoAI\Concurrency\Scheduler;
use InnoAI\Concurrency\Waiting;
use InnoAI\Exception\APIStatusError;
use InnoAI\Secret;

/**
 * Token auth: holds the current access token, and fetches a new one when it is due.
 *
 *     nothing ──mint──▶ fresh ──margin reached, or refused with 401──▶ due ──refresh──▶ fresh
 *                                                                       └─ refresh token dead ──mint──▶ fresh
 *
 * One flight: of all calls of `Client::concurrently` that find the token due, one fetches and the others wait for its
 * outcome, be it a token or an error. Outside of that a process of PHP does one thing at a time, so that there is one
 * flight anyway. Processes share nothing: each has a token of its own.
 *
 * @internal
 */
final class TokenKeeper
{
    /** Seconds after a failed early refresh during which the still living token is used. */
    private const RETRY_PAUSE = 5.0;
    /** How many past tokens are recognized when the server refuses one of them. */
    private const REMEMBERED = 32;

    private ?Held $held = null;
    /** @var list<Secret> */
    private array $issued = [];
    private bool $inFlight = false;
    private int $failures = 0;
    private ?\Throwable $failure = null;
    /** @var \Closure(): float monotonic seconds */
    private readonly \Closure $clock;

    /** @param (\Closure(): float)|null $clock monotonic seconds; the machine's by default */
    public function __construct(private readonly Grant $grant, ?\Closure $clock = null)
    {
        $this->clock = $clock ?? Waiting::now(...);
    }

    /** Whether this keeper handed that token out. */
    public function issued(?Secret $token): bool
    {
        foreach ($this->issued as $own) {
            if ($token !== null && $own->equals($token)) {
                return true;
            }
        }
        return false;
    }

    /**
     * A good token, and not the one that the server refused.
     *
     * @throws APIStatusError whatever minting throws
     */
    public function token(TokenEndpoint $endpoint, ?Secret $otherThan = null): Secret
    {
        $seen = $this->failures;
        while (($fresh = $this->fresh($otherThan)) === null && $this->inFlight && Scheduler::isRunningThis()) {
            Waiting::until(fn (): bool => !$this->inFlight, null, null);
            if ($this->failures !== $seen && $this->failure !== null) {
                throw $this->failure;
            }
        }
        return $fresh ?? $this->fly($endpoint, $otherThan);
    }

    private function fly(TokenEndpoint $endpoint, ?Secret $otherThan): Secret
    {
        $this->inFlight = true;
        $started = ($this->clock)();
        try {
            $this->held = Held::since($started, $this->fetch($endpoint));
        } catch (\Throwable $failure) {
            $living = $this->living($otherThan);
            if ($living !== null) {
                return $living;
            }
            $this->failures++;
            $this->failure = $failure;
            throw $failure;
        } finally {
            $this->inFlight = false;
        }
        $this->failure = null;
        $this->issued = array_slice([...$this->issued, $this->held->accessToken], -self::REMEMBERED);
        return $this->held->accessToken;
    }

    private function fetch(TokenEndpoint $endpoint): \InnoAI\Model\Token
    {
        if ($this->held === null) {
            return $endpoint->mint($this->grant);
        }
        try {
            return $endpoint->refresh($this->held->refreshToken);
        } catch (APIStatusError $refusal) {
            // The refresh token is dead: the key may still be good.
            if ($refusal->status !== 400 && $refusal->status !== 401) {
                throw $refusal;
            }
        }
        return $endpoint->mint($this->grant);
    }

    private function fresh(?Secret $otherThan): ?Secret
    {
        $good = $this->good($otherThan);
        return $good !== null && ($this->clock)() < $good->renewAt ? $good->accessToken : null;
    }

    /** The token whose early refresh just failed, while it lives; the next attempt is put off a little. */
    private function living(?Secret $otherThan): ?Secret
    {
        $good = $this->good($otherThan);
        $now = ($this->clock)();
        if ($good === null || $now >= $good->expiresAt) {
            return null;
        }
        $this->held = $good->renewedAt(min($now + self::RETRY_PAUSE, $good->expiresAt));
        return $good->accessToken;
    }

    private function good(?Secret $otherThan): ?Held
    {
        $refused = $this->held !== null && $otherThan !== null && $this->held->accessToken->equals($otherThan);
        return $refused ? null : $this->held;
    }
}
