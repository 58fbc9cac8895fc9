<?php

declare(strict_types=1);

namespace InnoAI\Tests\Conformance;

use InnoAI\Exception\InvalidArgument;
use InnoAI\Webhook;
use PHPUnit\Framework\Attributes\DataProvider;

final class SignaturesTest extends VectorTestCase
{
    protected const SUITE = 'signatures';

    /** @return array<string, array{array<string, mixed>}> */
    public static function signatures(): array
    {
        return self::vectors();
    }

    /**
     * @dataProvider signatures
     * @param array<string, mixed> $case
     */
    #[DataProvider('signatures')]
    public function testTheVerdict(array $case): void
    {
        if ($case['err'] === 'secret') {
            $this->expectException(InvalidArgument::class);
            $this->expectExceptionMessage('secret');
        }
        $body = (string) base64_decode($case['body'], true);
        $verdict = $case['style'] === 'innoai'
            ? Webhook::verify($body, $case['headers']['x-innoai-signature'] ?? null, $case['secret'])
            : Webhook::verifyStandard($body, $case['headers'], $case['secret'], $case['tolerance'], $case['now']);
        self::assertSame($case['valid'], $verdict);
    }
}
