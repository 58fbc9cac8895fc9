<?php

declare(strict_types=1);

namespace InnoAI\Enum;

/** What a credential may be allowed to do. AdminFull implies all others; no other implies another. */
enum Scope: string
{
    case InferenceRead = 'inference:read';
    case InferenceWrite = 'inference:write';
    case CustomersRead = 'customers:read';
    case CustomersWrite = 'customers:write';
    case CustomersDelete = 'customers:delete';
    case BillingRead = 'billing:read';
    case BillingWrite = 'billing:write';
    case WebhooksRead = 'webhooks:read';
    case WebhooksWrite = 'webhooks:write';
    case AdminFull = 'admin:full';
}
