<?php

declare(strict_types=1);

namespace InnoAI\Tests\Conformance;

use InnoAI\Exception\APIStatusError;
use InnoAI\Tests\Support\ScriptedServer;
use PHPUnit\Framework\Attributes\DataProvider;

final class ErrorsTest extends VectorTestCase
{
    protected const SUITE = 'errors';
    private const MEMBERS = [
        'code' => 'error_code',
        'type' => 'type',
        'param' => 'param',
        'required_scope' => 'required_scope',
        'retry_after' => 'retry_after',
        'request_id' => 'request_id',
    ];

    /** @return array<string, array{array<string, mixed>}> */
    public static function refusals(): array
    {
        return self::vectors();
    }

    /**
     * @dataProvider refusals
     * @param array<string, mixed> $case
     */
    #[DataProvider('refusals')]
    public function testARefusalIsTyped(array $case): void
    {
        $answer = ['status' => $case['status'], 'headers' => (object) $case['headers'], 'base64' => $case['body']];
        ScriptedServer::shared()->script(['GET /v1/auth/validate' => [$answer]]);
        $problem = self::outcome(self::client(['max_retries' => 0]), ['call' => 'validate']);
        self::assertOutcome($case['class'], $problem);
        self::assertInstanceOf(APIStatusError::class, $problem);
        self::assertSame([$case['status'], $case['status']], [$problem->status, $problem->getCode()]);
        foreach (array_intersect_key(self::MEMBERS, $case) as $member => $property) {
            self::assertSame($case[$member], $problem->{$property}, $member);
        }
    }
}
