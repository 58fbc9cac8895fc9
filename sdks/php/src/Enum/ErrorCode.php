<?php

declare(strict_types=1);

namespace InnoAI\Enum;

use InnoAI\Exception;

/** The server's error codes, and the exception that each becomes. */
enum ErrorCode: string
{
    case InvalidRequest = 'invalid_request';
    case InvalidApiKey = 'invalid_api_key';
    case TokenExpired = 'token_expired';
    case InsufficientQuota = 'insufficient_quota';
    case InsufficientPermissions = 'insufficient_permissions';
    case IpNotAllowed = 'ip_not_allowed';
    case ModelNotAllowed = 'model_not_allowed';
    case NotFound = 'not_found';
    case ModelNotFound = 'model_not_found';
    case MethodNotAllowed = 'method_not_allowed';
    case Conflict = 'conflict';
    case PayloadTooLarge = 'payload_too_large';
    case UnsupportedMediaType = 'unsupported_media_type';
    case RateLimitExceeded = 'rate_limit_exceeded';
    case HeadersTooLarge = 'headers_too_large';
    case InternalError = 'internal_error';
    case UpstreamError = 'upstream_error';
    case ServiceUnavailable = 'service_unavailable';
    case UpstreamTimeout = 'upstream_timeout';

    /** @return class-string<Exception\APIStatusError> */
    public function exception(): string
    {
        return match ($this) {
            self::InvalidRequest => Exception\InvalidRequest::class,
            self::InvalidApiKey => Exception\InvalidApiKey::class,
            self::TokenExpired => Exception\TokenExpired::class,
            self::InsufficientQuota => Exception\InsufficientQuota::class,
            self::InsufficientPermissions => Exception\InsufficientPermissions::class,
            self::IpNotAllowed => Exception\IpNotAllowed::class,
            self::ModelNotAllowed => Exception\ModelNotAllowed::class,
            self::NotFound => Exception\NotFound::class,
            self::ModelNotFound => Exception\ModelNotFound::class,
            self::MethodNotAllowed => Exception\MethodNotAllowed::class,
            self::Conflict => Exception\Conflict::class,
            self::PayloadTooLarge => Exception\PayloadTooLarge::class,
            self::UnsupportedMediaType => Exception\UnsupportedMediaType::class,
            self::RateLimitExceeded => Exception\RateLimitExceeded::class,
            self::HeadersTooLarge => Exception\HeadersTooLarge::class,
            self::InternalError => Exception\InternalError::class,
            self::UpstreamError => Exception\UpstreamError::class,
            self::ServiceUnavailable => Exception\ServiceUnavailable::class,
            self::UpstreamTimeout => Exception\UpstreamTimeout::class,
        };
    }
}
