<?php

declare(strict_types=1);

namespace InnoAI\Tests\Unit;

use InnoAI\Exception\ServiceUnavailable;
use InnoAI\Internal\Options;
use InnoAI\Internal\Sender;
use InnoAI\Secret;
use InnoAI\Tests\Support\ScriptedServer;
use InnoAI\Token\Grant;
use InnoAI\Token\TokenEndpoint;
use InnoAI\Token\TokenKeeper;

/** The keeper of tokens as time passes. */
final class TokenKeeperTest extends ScriptedTestCase
{
    private float $now = 1000.0;
    private TokenKeeper $keeper;
    private TokenEndpoint $endpoint;

    protected function setUp(): void
    {
        $this->keeper = new TokenKeeper(new Grant('customer-123', null, 3600), fn (): float => $this->now);
        $options = ['api_key' => self::KEY, 'base_url' => ScriptedServer::shared()->baseUrl, 'max_retries' => 0];
        $this->endpoint = new TokenEndpoint(new Sender(Options::from($options)));
    }

    public function testATokenIsKeptUntilItsMarginAndThenRefreshed(): void
    {
        self::script(['POST /v1/auth/token' => [self::pair(1)], 'POST /v1/auth/refresh' => [self::pair(2)]]);
        self::assertSame('access-1', $this->token());
        $this->now += 3539.9;
        self::assertSame('access-1', $this->token());
        $this->now += 0.1;
        self::assertSame('access-2', $this->token());
        self::assertCount(2, self::seen());
    }

    public function testAnEarlyRefreshThatFailsIsPutOffAndTheLivingTokenIsUsed(): void
    {
        $failed = self::refusal(503, 'service_unavailable');
        self::script([
            'POST /v1/auth/token' => [self::pair(1)],
            'POST /v1/auth/refresh' => [$failed, $failed, self::pair(2)],
        ]);
        $this->token();
        $this->now += 3540;
        self::assertSame(['access-1', 'access-1'], [$this->token(), $this->token()]);
        self::assertCount(2, self::seen());
        $this->now += 5;
        self::assertSame('access-1', $this->token());
        self::assertCount(3, self::seen());
        $this->now += 5;
        self::assertSame('access-2', $this->token());
    }

    public function testADeadTokenIsNotUsedWhenItsRefreshFails(): void
    {
        self::script([
            'POST /v1/auth/token' => [self::pair(1)],
            'POST /v1/auth/refresh' => [self::refusal(503, 'service_unavailable')],
        ]);
        $this->token();
        $this->now += 3600;
        $this->expectException(ServiceUnavailable::class);
        $this->token();
    }

    public function testPastTokensAreRecognizedSoThatALateRefusalDoesNotReplaceANewOne(): void
    {
        self::script(['POST /v1/auth/token' => [self::pair(1)], 'POST /v1/auth/refresh' => [self::pair(2)]]);
        $this->token();
        $this->now += 3600;
        $this->token();
        $old = new Secret('access-1');
        self::assertTrue($this->keeper->issued($old));
        self::assertSame('access-2', $this->keeper->token($this->endpoint, $old)->reveal());
        self::assertCount(2, self::seen());
        self::assertFalse($this->keeper->issued(new Secret('access-3')));
        self::assertFalse($this->keeper->issued(null));
    }

    private function token(): string
    {
        return $this->keeper->token($this->endpoint)->reveal();
    }

    /** @return array<string, mixed> */
    private static function pair(int $number): array
    {
        $tokens = ['access_token' => "access-{$number}", 'refresh_token' => "refresh-{$number}"];
        return ['json' => [...$tokens, 'token_type' => 'Bearer', 'expires_in' => 3600]];
    }
}
